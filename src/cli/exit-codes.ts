/** What a program learns from the exit code. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, notFound: 4, conflict: 5 } as const;
