"""What keeps the record of activity provable: its sealer, and the anchor of its head."""

from backoffice.audit import anchors, chain
from backoffice.jobs import registry

registry.every(seconds=5, name="audit.seal")(chain.seal)
registry.every(seconds=3600, name="audit.anchor")(anchors.keep)
