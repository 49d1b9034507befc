"""What a table was called is sealed; names of before stay where they are until their batch goes by its rule."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0013_kinds_of_decisions'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField(model_name='batch', old_name='name', new_name='plain_name'),
                migrations.AlterField(model_name='batch', name='plain_name', field=models.CharField(db_column='name', max_length=200)),
            ],
        ),
        migrations.AlterField(
            model_name='batch', name='plain_name', field=models.CharField(db_column='name', db_default='', max_length=200),
        ),
        migrations.AddField(model_name='batch', name='sealed_name', field=models.BinaryField(null=True)),
    ]
