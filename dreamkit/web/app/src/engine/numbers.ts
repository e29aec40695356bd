/** Rounds `value` to a whole number, and halves to the even one, as Python and NumPy do. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** `value` modulo `length`, never negative. */
export function wrapped(value: number, length: number): number {
  return ((value % length) + length) % length;
}
