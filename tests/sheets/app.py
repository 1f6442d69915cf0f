"""The models of `supplies` as an installed app, for what asks the registry for them."""

from django.apps import AppConfig


class SheetsTests(AppConfig):
    """Named as the models say."""

    name = "tests.sheets"
    label = "sheets_tests"
