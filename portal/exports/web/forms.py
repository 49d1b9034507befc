"""What somebody says of an export: the format, whether applicants are named, and how often."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from portal.exports.lists import ExportList
from portal.exports.models import Every

ONCE = "once"


class ExportForm(forms.Form):
    """The list and its filters come with the address."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Format"), widget=forms.RadioSelect, initial="csv",
        choices=[
            ("csv", gettext_lazy("CSV, for spreadsheets and programs")), ("xlsx", gettext_lazy("XLSX, for spreadsheets")),
            ("json", gettext_lazy("JSON, for programs")), ("parquet", gettext_lazy("Parquet, for data scientists")),
        ],
    )  # fmt: skip
    with_applicants = forms.BooleanField(
        label=gettext_lazy("With reference, name, telephone, national id and day of birth of each applicant"), required=False
    )
    every = forms.ChoiceField(
        label=gettext_lazy("How often"), widget=forms.RadioSelect, initial=ONCE,
        choices=[
            (ONCE, gettext_lazy("Once, now")), (Every.DAY, gettext_lazy("Every morning")),
            (Every.WEEK, gettext_lazy("Every Monday")), (Every.MONTH, gettext_lazy("On the first of each month")),
        ],
    )  # fmt: skip

    def __init__(self, one: ExportList, *arguments: Any, may_name: bool, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if one.applicants is None or not may_name:
            del self.fields["with_applicants"]
