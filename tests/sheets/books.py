"""Models and Resources in the manner of import-export's own documentation: books, authors, genres.

Resources are written as they would be in a project that never heard of us: nothing is set on them.
"""

from typing import Any, ClassVar

from django.db import models
from import_export import fields, widgets
from import_export.resources import ModelResource


class Writer(models.Model):
    """Has a name that stands for it."""

    name = models.CharField(max_length=50, unique=True)
    seen = models.IntegerField(default=0)
    objects: ClassVar[models.Manager["Writer"]]

    class Meta:
        app_label = "sheets_tests"

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        """Return what names it."""
        return (self.name,)


class Writers(models.Manager[Writer]):
    """Finds writers by name."""

    def get_by_natural_key(self, name: str) -> Writer:
        """Return the writer of the name."""
        return self.get(name=name)


Writer.add_to_class("objects", Writers())


class Genre(models.Model):
    """A book has several."""

    name = models.CharField(max_length=30, unique=True)
    objects: ClassVar[models.Manager["Genre"]] = models.Manager()

    class Meta:
        app_label = "sheets_tests"

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    """What comes in."""

    title = models.CharField(max_length=40)
    shelf = models.CharField(max_length=10, default="", blank=True)
    writer = models.ForeignKey(Writer, models.CASCADE, null=True, blank=True)
    genres: "models.ManyToManyField[Genre, Any]" = models.ManyToManyField(Genre, blank=True)
    price = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    published = models.DateField(null=True, blank=True)
    in_print = models.BooleanField(default=True)
    objects: ClassVar[models.Manager["Book"]] = models.Manager()

    class Meta:
        app_label = "sheets_tests"

    def __str__(self) -> str:
        return self.title


MODELS = (Writer, Genre, Book)


class Books(ModelResource):  # type: ignore[misc]
    """Nothing but Meta: dates in a format of their own."""

    class Meta:
        model = Book
        import_id_fields = ("title",)
        fields = ("title", "price", "published", "in_print")
        widgets: ClassVar[dict[str, Any]] = {"published": {"format": "%d.%m.%Y"}}


class Unchanged(Books):
    """Leaves alone what is as it was."""

    class Meta:
        skip_unchanged = True
        report_skipped = True


class Named(Books):
    """The writer by name; a price where none is said."""

    writer = fields.Field("writer", "writer", widgets.ForeignKeyWidget(Writer, "name"))
    price = fields.Field("price", "price", widgets.DecimalWidget(), default="9.99")

    class Meta:
        fields = ("title", "writer", "price")


class Natural(Books):
    """The writer by the key that the model names itself."""

    writer = fields.Field(
        "writer", "writer", widgets.ForeignKeyWidget(Writer, use_natural_foreign_keys=True)
    )

    class Meta:
        fields = ("title", "writer")


class Several(Books):
    """Genres between bars."""

    genres = fields.Field("genres", "genres", widgets.ManyToManyWidget(Genre, "|", "name"))

    class Meta:
        fields = ("title", "genres")
        skip_unchanged = True


class Pairs(Books):
    """Two columns make the key."""

    class Meta:
        import_id_fields = ("title", "shelf")
        fields = ("title", "shelf", "price")
        skip_unchanged = True


class Hooked(Named):
    """Hooks before and after each row and the file; one of them writes another model."""

    class Meta:
        model = Book
        import_id_fields = ("title",)
        fields = ("title", "writer", "price")

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Make writers who are not there."""
        if row.get("writer"):
            Writer.objects.get_or_create(name=row["writer"])

    def before_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        """Write titles large."""
        instance.shelf = str(row["title"])[:1].upper()

    def after_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        """Count the books of a writer."""
        if instance.writer_id:
            Writer.objects.filter(pk=instance.writer_id).update(seen=models.F("seen") + 1)

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Say how many rows there were."""
        Genre.objects.get_or_create(name=f"{len(dataset)} rows")


class Gone(Books):
    """Rows without a price go."""

    def for_delete(self, row: Any, instance: Any) -> bool:
        """Say which."""
        return row["price"] in {None, ""}


class Careful(Books):
    """The model's own rules, and none of empty cells."""

    price = fields.Field("price", "price", widgets.DecimalWidget(), saves_null_values=False)

    class Meta:
        clean_model_instances = True


RESOURCES = (
    Books, Unchanged, Named, Natural, Several, Pairs, Hooked, Gone, Careful,
)  # fmt: skip
