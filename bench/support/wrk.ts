import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../test/support/temp.ts';

const run = promisify(execFile);

/** A request that wrk repeats. */
export interface WrkRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How many bytes of body to send, all alike. */
  readonly bodyBytes: number;
}

export interface WrkResult {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  readonly failed: number;
}

/** Sends requests over and over (https://github.com/wg/wrk, Debian's package `wrk`): a generator that costs little itself. */
export async function wrk(
  url: string,
  requests: readonly WrkRequest[],
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<WrkResult> {
  await using directory = await temporaryDirectory();
  const script = join(directory.path, 'requests.lua');
  await writeFile(script, scriptOf(requests));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, url];
  const { stdout } = await run('wrk', args, { timeout: (seconds + 30) * 1000 });
  return parse(stdout);
}

function scriptOf(requests: readonly WrkRequest[]): string {
  const lines = requests.map(({ method, path, headers, bodyBytes }) => {
    // wrk adds a `Host` of its own beside any other spelling.
    const table = Object.entries(headers).map(([name, value]) => `["${name === 'host' ? 'Host' : name}"]="${value}"`);
    const body = bodyBytes === 0 ? 'nil' : `string.rep("x", ${bodyBytes})`;
    return `requests[#requests + 1] = wrk.format("${method}", "${path}", {${table.join(', ')}}, ${body})`;
  });
  return `local requests = {}
function init(args)
  ${lines.join('\n  ')}
end
local n = 0
function request()
  n = n % #requests + 1
  return requests[n]
end
`;
}

function parse(text: string): WrkResult {
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const [, p99 = '0', unit = 'ms'] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  const scale = unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1;
  return {
    requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p99Ms: Number(p99) * scale,
    failed: number(/Non-2xx or 3xx responses: (\d+)/),
  };
}
