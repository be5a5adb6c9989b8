"""How much to drink after a run: from the weight that was lost. Plain arithmetic on one rule; what a body needs, this does not know."""

__all__ = ["DRINK_ML_PER_KG", "DRINK_OZ_PER_LB", "KG_PER_LB", "ML_PER_OZ", "drink_ml"]

DRINK_OZ_PER_LB = 20.0
"""The rule: 20 US fluid ounces of water for each pound lost in the run. Source: the article on sore calves that this project comes from."""

ML_PER_OZ = 29.5735295625
"""US fluid ounce: 1/128 of a gallon of 231 cubic inches, exactly."""

KG_PER_LB = 0.45359237
"""Avoirdupois pound, exactly (international yard and pound agreement, 1959)."""

DRINK_ML_PER_KG = DRINK_OZ_PER_LB * ML_PER_OZ / KG_PER_LB
"""About 1304 ml for a kilogram; 591 ml for a pound."""


def drink_ml(weight_before_kg: float, weight_after_kg: float) -> float:
    """What the rule asks for, in ml; 0 where nothing was lost."""
    return max(0.0, weight_before_kg - weight_after_kg) * DRINK_ML_PER_KG
