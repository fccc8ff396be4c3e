import { Client } from '../client.ts';
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

/** Flags over environment over the default. */
export function connect(options: ConnectionOptions, env: NodeJS.ProcessEnv = process.env): Session {
  const port = env['HOLDFAST_PORT'] ?? '8080';
  const url = options.url ?? env['HOLDFAST_URL'] ?? `http://127.0.0.1:${port}`;
  const token = options.token ?? env['HOLDFAST_TOKEN'];
  return { client: new Client({ url, token }), output: processOutput(), isJson: options.json ?? false };
}
