/** A class of keys that some real system may have trouble with. */
export interface KeyCase {
  readonly name: string;
  /** Put side by side: each must stay a blob of its own. Every one begins with `root`. */
  readonly keys: (root: string) => readonly string[];
  /** Whether a key of chance falls into this class, for the property test of an adapter that has an exception for it. */
  readonly holds?: (key: string) => boolean;
}

const controls = Array.from({ length: 0x1f }, (_, index) => String.fromCharCode(index + 1));
const KEY_BYTES_MAX = 1024;

export const keyCases = [
  {
    name: 'a blob beside blobs below it',
    keys: (root) => ['a', 'a/b', 'a/b/c', 'ab', 'a.b'].map((k) => `${root}/${k}`),
  },
  {
    name: 'components that are dots',
    keys: (root) => ['.', '..', './x', '../x', 'x/.', 'x/..', 'x/../y', '...', '.x'].map((k) => `${root}/${k}`),
    holds: (key) => key.split('/').some((part) => part === '.' || part === '..'),
  },
  {
    name: 'empty components',
    keys: (root) => ['x', 'x/', 'x//', 'x//y', '/x', '/', '//'].map((k) => `${root}/${k}`),
    holds: (key) => key.endsWith('/') || key.includes('//'),
  },
  { name: 'a leading slash', keys: (root) => [`/${root}`, `//${root}`, root, `/${root}/x`] },
  {
    name: 'a long key of one component',
    keys: (root) => [fill(root, 'k', KEY_BYTES_MAX), fill(root, 'k', KEY_BYTES_MAX - 1), fill(root, 'k', 256)],
    holds: (key) => key.split('/').some((part) => Buffer.byteLength(part) > 255),
  },
  {
    name: 'a long key of one component in a wide script',
    keys: (root) => [fill(root, '語', KEY_BYTES_MAX - 2), fill(root, '😀', KEY_BYTES_MAX - 3)],
    holds: (key) => key.split('/').some((part) => Buffer.byteLength(part) > 255),
  },
  {
    name: 'a long key of many components',
    keys: (root) => [fill(`${root}/`, 'd/', KEY_BYTES_MAX - 1), fill(`${root}/`, 'd/', KEY_BYTES_MAX - 2)],
    holds: (key) => key.split('/').length > 60,
  },
  {
    name: 'keys that differ in case',
    keys: (root) => ['A', 'a', 'É', 'é', 'ß', 'SS', 'I', 'ı', 'i'].map((k) => `${root}/${k}`),
  },
  {
    name: 'keys that differ in normal form',
    keys: (root) => ['é', 'e\u0301', 'Å', 'A\u030A', '\u212B'].map((k) => `${root}/${k}`),
  },
  {
    name: 'scripts and emoji',
    keys: (root) => ['日本語', 'العربية', '👩‍👩‍👧‍👦', '🇩🇪', '\uFFFD', '\u{10FFFF}'].map((k) => `${root}/${k}`),
  },
  {
    name: 'characters that mean something in a URL',
    keys: (root) =>
      ['%2F', '%2f', '%', '%%', '%00', '+', ' ', '%20', 'a b', 'a+b', '?', '#', '&=;', 'a?b=c#d'].map(
        (k) => `${root}/${k}`,
      ),
  },
  { name: 'spaces at the ends', keys: (root) => [' x', 'x ', ' ', '\u00A0', 'x.', 'x. '].map((k) => `${root}/${k}`) },
  {
    name: 'characters that a shell or a file system takes for its own',
    keys: (root) =>
      ['\\', 'a\\b', ':', 'c:', '*', '"', "'", '<>', '|', '`', '$HOME', '~', '!', '[a]', '{b}', '-rf'].map(
        (k) => `${root}/${k}`,
      ),
  },
  {
    name: 'control characters',
    keys: (root) => [...controls, '\u007F', 'a\nb', 'a\r\nb', 'x\t'].map((k) => `${root}/${k}`),
    // oxlint-disable-next-line no-control-regex -- it is what is looked for
    holds: (key) => /[\u0001-\u001F\u007F]/.test(key),
  },
  {
    name: 'characters that are not for interchange',
    keys: (root) =>
      ['\u2028', '\u2029', '\uFEFF', '\u200B', '\u202E', '\uFFFE', '\uFFFF', '\u0085'].map((k) => `${root}/${k}`),
    holds: (key) => /[\uFFFE\uFFFF]/.test(key),
  },
  {
    name: 'names that are devices elsewhere',
    keys: (root) => ['CON', 'nul', 'COM1', 'aux.txt', 'PRN'].map((k) => `${root}/${k}`),
  },
  {
    name: 'names that look temporary',
    keys: (root) => ['x', 'x.tmp', 'x~', '.x.swp', 'x.part', '.tmp', 'tmp', '.nfs1'].map((k) => `${root}/${k}`),
  },
] as const satisfies readonly KeyCase[];

export type KeyClass = (typeof keyCases)[number]['name'];

function fill(root: string, unit: string, sizeBytes: number): string {
  const rest = sizeBytes - Buffer.byteLength(root);
  const count = Math.floor(rest / Buffer.byteLength(unit));
  return root + unit.repeat(count) + 'x'.repeat(rest - count * Buffer.byteLength(unit));
}
