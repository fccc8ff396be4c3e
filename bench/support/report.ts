/** Prints one figure. */
export function row(what: string, value: string): void {
  console.log(`${what.padEnd(62)} ${value}`);
}

/** The value below which `share` of the values lie, to two digits after the point. */
export function percentile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);
}
