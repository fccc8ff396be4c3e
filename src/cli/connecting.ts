import type { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import type { OperationReply } from './wait.ts';

type ExportReply = ReplyOf<typeof contract.listExports>['items'][number];
type Connection = NonNullable<ExportReply['connection']>;

/** The files that commands of exports with keys name. */
const keyFiles = ['keys.psk', 'dhchap.keys'];

/** How to connect to the exports that an operation has made, for people. */
export function madeExports(volume: string, operation: OperationReply): string[] {
  const { exports = [] } = (operation.output ?? {}) as { readonly exports?: readonly { connection: Connection }[] };
  return exports.flatMap(({ connection }) => howToConnect(volume, connection));
}

/** The address, and commands that are ready to be pasted. */
export function howToConnect(volume: string, { uri, commands }: Connection): string[] {
  const file = keyFiles.find((name) => commands.some(({ command }) => command.includes(name)));
  const get = `holdfast volume export-key ${shellWord(volume)} --output ${file}`;
  const all = file === undefined ? commands : [{ purpose: 'get the key', command: get }, ...commands];
  const width = Math.max(...all.map(({ purpose }) => purpose.length));
  return [uri, ...all.map(({ purpose, command }) => `  ${purpose.padEnd(width)}  ${command}`)];
}

function shellWord(text: string): string {
  return /^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
