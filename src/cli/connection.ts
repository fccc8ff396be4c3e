import { Client } from '../client.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { type Output, processOutput } from './output.ts';

/** What every command that talks to a server takes. */
export interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** A command's surroundings. */
export interface Session {
  readonly client: Client;
  readonly output: Output;
  readonly isJson: boolean;
}

/** Flags over environment over the default. Throws `invalid` for an address or a token that cannot be one. */
export function connect(options: ConnectionOptions, env: NodeJS.ProcessEnv = process.env): Session {
  const port = env['HOLDFAST_PORT'] || '8080';
  const url = checkedUrl(options.url ?? (env['HOLDFAST_URL'] || `http://127.0.0.1:${port}`));
  const token = checkedToken(options.token ?? env['HOLDFAST_TOKEN'] ?? '');
  return { client: new Client({ url, token }), output: processOutput(), isJson: options.json ?? false };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isServer = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (isServer && url.pathname === '/' && url.search === '') return text;
  const sentence = `"${text.slice(0, 100)}" is not the address of a server, such as http://127.0.0.1:8080: look at --url and HOLDFAST_URL.`;
  throw new HoldfastError('invalid', sentence, { field: '--url' });
}

function checkedToken(text: string): string | undefined {
  const token = text.trim();
  if (token === '') return undefined;
  if (/^[!-~]+$/.test(token)) return token;
  const sentence = 'The token has characters that no token has: give --token or HOLDFAST_TOKEN as it was shown.';
  throw new HoldfastError('invalid', sentence, { field: '--token' });
}
