import type { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import type { OperationReply } from './wait.ts';

type ExportReply = ReplyOf<typeof contract.listExports>['items'][number];
type Connection = NonNullable<ExportReply['connection']>;

/** How to connect to the exports that an operation has made, for people. */
export function madeExports(volume: string, operation: OperationReply): string[] {
  const { exports = [] } = (operation.output ?? {}) as { readonly exports?: readonly { connection: Connection }[] };
  return exports.flatMap(({ connection }) => howToConnect(volume, connection));
}

/** The address, and commands that are ready to be pasted. */
export function howToConnect(volume: string, { uri, commands }: Connection): string[] {
  const needsKey = uri.startsWith('nbds:');
  const key = { purpose: 'get the key', command: `holdfast volume export-key ${shellWord(volume)} --output keys.psk` };
  const all = needsKey ? [key, ...commands] : commands;
  const width = Math.max(...all.map(({ purpose }) => purpose.length));
  return [uri, ...all.map(({ purpose, command }) => `  ${purpose.padEnd(width)}  ${command}`)];
}

function shellWord(text: string): string {
  return /^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
