"""For apps below the jobs: the record's sealer, the anchor of its head, counts of tries."""

from django.utils.translation import gettext_lazy

from backoffice.accounts import limits
from backoffice.audit import anchors, chain
from backoffice.jobs import registry

registry.every(seconds=5, name="audit.seal", label=gettext_lazy("Link the record of activity"))(
    chain.seal
)
registry.every(
    seconds=3600, name="audit.anchor", label=gettext_lazy("Note the head of the record")
)(anchors.keep)
registry.every(
    seconds=3600, name="accounts.prune_counts", label=gettext_lazy("Forget old counts of tries")
)(limits.prune)
