"""How long what is kept: rules, holds, and runs that let go of what is due."""
