"""The category that a product's name tells."""

import re

OTHER = "Other"

# Words of a product's name, the first line that has one of them decides. Names of gifts tell the
# material and the use; what a thing is for stands before what it is made of or shows.
KEYWORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Christmas", ("christmas", "xmas", "advent", "santa", "reindeer", "bauble", "snowflake",
                   "snowman", "snow", "noel", "tinsel", "stocking", "wreath")),
    ("Bags", ("bag", "bags", "purse", "wallet", "shopper", "tote", "rucksack", "backpack",
              "suitcase", "luggage", "handbag")),
    ("Kitchen", ("mug", "mugs", "cup", "cups", "teacup", "teapot", "tea", "coffee", "plate",
                 "plates", "bowl", "bowls", "jug", "kitchen", "cake", "cakestand", "cakecases",
                 "baking", "bake", "cutlery", "spoon", "spoons", "fork", "knife", "apron", "oven",
                 "recipe", "egg", "jam", "jar", "jars", "lunch", "snack", "food", "bottle",
                 "bread", "biscuit", "cookie", "cutter", "cutters", "pan", "pans", "tray",
                 "pantry", "popcorn", "napkins", "napkin", "placemat", "coaster", "coasters",
                 "glass", "tumbler", "goblet", "straws", "picnic", "sugar", "bakelike")),
    ("Toys and games", ("toy", "toys", "doll", "dolls", "dolly", "game", "games", "puzzle",
                        "puzzles", "jigsaw", "playing", "ludo", "dominoes", "spinning", "robot",
                        "train", "soldier", "skipping", "kids", "children", "childrens",
                        "childs", "baby", "girl", "boy", "circus", "dinosaur", "spaceboy",
                        "balloon", "balloons", "bingo", "snap", "toadstool", "quoits")),
    ("Stationery", ("card", "cards", "paper", "notebook", "pencil", "pencils", "pen", "crayons",
                    "chalk", "ruler", "eraser", "rubber", "sticker", "stickers", "wrap", "gift",
                    "tape", "tissue", "tissues", "book", "journal", "diary", "calendar", "letter",
                    "envelope", "stationery", "ribbon", "ribbons", "tags", "tag", "stamp",
                    "passport", "folder", "memo", "blackboard")),
    ("Lights and candles", ("light", "lights", "lamp", "lantern", "lanterns", "candle", "candles",
                            "candleholder", "candlestick", "tealight", "t-light", "t-lights",
                            "holder", "night", "torch", "chandelier", "incense", "votive")),
    ("Jewellery and clothes", ("necklace", "bracelet", "earrings", "ring", "rings", "bangle",
                               "brooch", "charm", "hair", "hairband", "scarf", "gloves", "hat",
                               "slippers", "umbrella", "parasol", "sunglasses", "keyring",
                               "key-chains", "bead", "beads", "hairclip", "hairslide")),
    ("Bath and care", ("bath", "bathroom", "soap", "towel", "toothbrush", "toilet", "cosmetic",
                       "washbag", "warmer", "plaster", "plasters", "mirror", "massager")),
    ("Garden", ("garden", "plant", "flower", "flowers", "watering", "seed", "seeds", "herb",
                "planter", "bird", "birdhouse", "pot", "pots", "trowel", "gardeners")),
    ("Textiles", ("cushion", "blanket", "quilt", "throw", "fabric", "rug", "doormat", "mat",
                  "bunting", "curtain", "tablecloth", "sewing", "knitting", "cotton", "felt",
                  "patchwork", "wool")),
    ("Home", ("sign", "frame", "frames", "clock", "hook", "hooks", "hanger", "box", "boxes",
              "tin", "tins", "basket", "drawer", "cabinet", "shelf", "stool", "table", "chair",
              "wall", "door", "heart", "hearts", "decoration", "decorations", "ornament", "vase",
              "home", "wood", "wooden", "metal", "ceramic", "zinc", "storage", "chest", "stand",
              "knob", "rack", "letters", "block", "magnet", "magnets", "retrospot", "garland")),
)  # fmt: skip
_BY_WORD = {word: name for name, words in reversed(KEYWORDS) for word in words}
_RANK = {name: rank for rank, (name, _words) in enumerate(KEYWORDS)}
_WORDS = re.compile(r"[a-z][a-z\-]*")


def category_of(name: str) -> str:
    """Return the category that the words of a product's name tell; `OTHER` when none does."""
    found = {_BY_WORD[word] for word in _WORDS.findall(name.lower()) if word in _BY_WORD}
    return min(found, key=_RANK.__getitem__, default=OTHER)
