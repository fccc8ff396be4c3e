/** Kinds whose real systems take no checksum along with what is written, so that only reading tells what they have. */
const kindsWithoutChecksums = ['webdav', 'rclone'];

/** The rule for which kinds what was written is read again. */
export function readBackRule(setting: 'auto' | 'always' | 'never'): (kind: string) => boolean {
  if (setting === 'auto') return (kind) => kindsWithoutChecksums.includes(kind);
  return () => setting === 'always';
}
