/** One sentence that says what to install when librados or librbd cannot be loaded. */
export function libraryProblem(error: unknown): string {
  const cause = error instanceof Error ? error.message.split('\n')[0]?.replace(/\.$/, '') : String(error);
  return (
    'The Ceph libraries librados.so.2 and librbd.so.1 cannot be loaded; install them with ' +
    '"apt-get install librbd1 librados2" (Debian, Ubuntu) or "dnf install librbd1 librados2" (Fedora): ' +
    `${cause}.`
  );
}
