const timeoutMs = 30_000;

/** What somebody without any key gets from an address. */
export async function fetched(
  url: string,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly body: Buffer }> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
  return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
}
