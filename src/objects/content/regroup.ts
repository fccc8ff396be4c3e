/**
 * The bytes of a source in pieces of exactly `pieceBytes`, the last one shorter; a piece is copied only where it lies across
 * two chunks. Where `sizeBytes` is 0, one empty piece.
 */
export async function* regroup(
  source: AsyncIterable<Buffer>,
  pieceBytes: number,
  sizeBytes: number,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let hasGiven = false;
  for await (const chunk of source) {
    let rest = chunk;
    while (heldBytes + rest.length >= pieceBytes) {
      const missing = pieceBytes - heldBytes;
      const end = rest.subarray(0, missing);
      yield held.length === 0 ? end : Buffer.concat([...held, end]);
      hasGiven = true;
      held = [];
      heldBytes = 0;
      rest = rest.subarray(missing);
    }
    if (rest.length > 0) {
      held.push(rest);
      heldBytes += rest.length;
    }
  }
  if (heldBytes > 0) yield held.length === 1 ? held[0]! : Buffer.concat(held);
  else if (!hasGiven && sizeBytes === 0) yield Buffer.alloc(0);
}
