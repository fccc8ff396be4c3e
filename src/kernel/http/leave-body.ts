import type { IncomingMessage } from 'node:http';

const bytesMax = 1_048_576;
const timeoutMs = 2_000;

/**
 * Reads what is left of a body that was refused, within bounds, and forgets it. Gives whether it has ended: if not, what
 * comes next on the connection is no request, and the connection must end with the answer. It is not ended at once, since a
 * connection that is closed upon unread bytes is reset, and the client may lose the answer.
 */
export async function leaveBody(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return true;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) resolve(false);
    // Who read it before may have stopped it.
    else if (request.isPaused()) request.resume();
  };
  const onEnd = () => resolve(true);
  request.on('data', onData).once('end', onEnd).once('close', onEnd).resume();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.off('data', onData).off('end', onEnd).off('close', onEnd).pause();
  }
}
