/** How much to drink after a run, as `wavewrap_gateway.core.hydration` has it: 20 US fluid ounces for each pound lost. Pure. */

export const ML_PER_OZ = 29.5735295625;
export const KG_PER_LB = 0.45359237;
export const OZ_PER_LB = 20;

export type WeightUnit = "kg" | "lb";

export function toKg(weight: number, unit: WeightUnit): number {
  return unit === "lb" ? weight * KG_PER_LB : weight;
}

/** 0 where nothing was lost. */
export function drink_ml(before_kg: number, after_kg: number): number {
  return (Math.max(0, before_kg - after_kg) / KG_PER_LB) * OZ_PER_LB * ML_PER_OZ;
}
