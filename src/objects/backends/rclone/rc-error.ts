import { HoldfastError } from '../../../kernel/errors/errors.ts';

interface Pattern {
  readonly words: RegExp;
  readonly kind: 'backend' | 'unavailable' | 'overloaded' | 'invalid';
  readonly reason?: string;
}

/** rclone passes on what its remotes say as text; these are the words by which systems say what callers must tell apart. */
const patterns: readonly Pattern[] = [
  { words: /KeyTooLong|InvalidObjectName|(file ?)?name too long/i, kind: 'invalid', reason: 'key_too_long' },
  {
    words:
      /no space left|quota (is )?(exceeded|reached)|disk quota|storage ?quota|insufficient storage|\b507\b|QuotaExceeded/i,
    kind: 'backend',
    reason: 'full',
  },
  { words: /too many requests|rate ?limit|slow ?down|\b429\b|userRateLimit/i, kind: 'overloaded' },
  {
    words:
      /connection (refused|reset)|no such host|i\/o timeout|network is unreachable|no route to host|dial tcp|TLS handshake/i,
    kind: 'unavailable',
  },
  { words: /deadline exceeded|context canceled|timed out/i, kind: 'unavailable' },
  {
    words: /unauthorized|authentication|unable to authenticate|invalid ?access ?key|signature|\b401\b/i,
    kind: 'backend',
    reason: 'credentials',
  },
  { words: /access ?denied|permission denied|forbidden|\b403\b/i, kind: 'backend', reason: 'forbidden' },
];

/** What rclone said of a failure (secrets taken out) as an error of the domain; `otherwise` when its words are new to us. */
export function remoteError(
  who: string,
  what: string,
  said: string,
  otherwise: 'backend' | 'unavailable' = 'backend',
): HoldfastError {
  const { kind, reason } = patterns.find(({ words }) => words.test(said)) ?? { kind: otherwise };
  const details = reason === undefined ? {} : { reason };
  return new HoldfastError(kind, `${who} failed to ${what}: ${said.replace(/\.+$/, '')}.`, details);
}
