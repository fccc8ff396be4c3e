/** SQLSTATE of a statement that leaves a reference without its row (ISO 9075, class 23). */
const brokenReference = '23503';

/**
 * A statement that adds a reference to a row, or removes a row, which another transaction may do the opposite of at the
 * same time: both have looked before, and the one that comes second is refused. Throws `refusal` then.
 */
export async function keepingReferences<R>(statement: Promise<R>, refusal: () => Error): Promise<R> {
  try {
    return await statement;
  } catch (error) {
    throw (error as { code?: unknown } | null)?.code === brokenReference ? refusal() : error;
  }
}
