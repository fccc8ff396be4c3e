import { objectError } from '../errors.ts';
import type { S3Command } from './command.ts';
import { hoistedHeader, operationKey, responseKeys, signatureKeys } from './query-keys.ts';
import { parseQuery } from './signature/query.ts';
import type { Resource, Target } from './target.ts';

export interface Route {
  readonly command: S3Command;
  /** Decoded; later values of one name are dropped. */
  readonly query: ReadonlyMap<string, string>;
  /** Headers that stand in the query: signers of presigned URLs put them there, names in lower case. */
  readonly hoisted: ReadonlyMap<string, string>;
}

export type Router = (method: string, target: Target, hasHeader: (name: string) => boolean) => Route;

const nothing: ReadonlyMap<string, string> = new Map();

/**
 * Finds the command of a request. Every key of the query must be one that the command takes: a sub-resource that is not
 * known is `NotImplemented`, never the object without it, so that `PUT ?acl` cannot overwrite an object. Throws
 * `MethodNotAllowed` where a resource has no such method at all, and `InvalidArgument` for a null character in a parameter.
 */
export function createRouter(commands: readonly S3Command[]): Router {
  const candidates = new Map<string, S3Command[]>();
  for (const command of commands) {
    const list = candidates.get(`${command.method} ${command.resource}`) ?? [];
    list.push(command);
    candidates.set(`${command.method} ${command.resource}`, list);
  }
  // The first that is selected is then the one that asks for most.
  for (const list of candidates.values()) list.sort((one, other) => specificity(other) - specificity(one));
  return (method, target, hasHeader) => {
    const list = candidates.get(`${method} ${target.resource}`);
    const { query, hoisted } = target.rawQuery === '' ? noQuery : readQuery(target.rawQuery);
    if (list === undefined) throw absent(method, target.resource, query);
    const has = (name: string) => hasHeader(name) || hoisted.has(name);
    const command = list.find((one) => isSelected(one, query, has));
    if (command === undefined) throw absent(method, target.resource, query);
    if (query.size > 0) requireKnown(command, query);
    return { command, query, hoisted };
  };
}

const noQuery = { query: nothing, hoisted: nothing };

function specificity(command: S3Command): number {
  return command.selectedBy.length * 2 + (command.selectedByHeader === undefined ? 0 : 1);
}

function isSelected(
  command: S3Command,
  query: ReadonlyMap<string, string>,
  hasHeader: (name: string) => boolean,
): boolean {
  const { selectedBy, selectedByHeader } = command;
  return selectedBy.every((key) => query.has(key)) && (selectedByHeader === undefined || hasHeader(selectedByHeader));
}

/** A presigned URL may carry headers as parameters, and S3 then reads them as such. */
function readQuery(rawQuery: string): Pick<Route, 'query' | 'hoisted'> {
  const all = parseQuery(rawQuery);
  const isPresigned = all.some(([key]) => key === 'X-Amz-Signature' || key === 'Signature');
  const query = new Map<string, string>();
  const hoisted = new Map<string, string>();
  for (const [key, value] of all) {
    // No key, version or header has one, and not every store can compare with it.
    if (value.includes('\0')) throw withNull(key);
    const header = isPresigned ? hoistedHeader(key) : undefined;
    const [map, name] = header === undefined ? [query, key] : [hoisted, header];
    if (!map.has(name)) map.set(name, value);
  }
  return { query, hoisted };
}

function requireKnown(command: S3Command, query: ReadonlyMap<string, string>): void {
  const isRead = command.method === 'GET' || command.method === 'HEAD';
  for (const key of query.keys()) {
    const isKnown =
      command.selectedBy.includes(key) ||
      command.alsoTakes.includes(key) ||
      signatureKeys.has(key) ||
      key === operationKey ||
      (isRead && responseKeys.has(key));
    if (!isKnown) throw notImplemented(key);
  }
}

function absent(method: string, resource: Resource, query: ReadonlyMap<string, string>): Error {
  for (const key of query.keys()) {
    if (!signatureKeys.has(key) && key !== operationKey) throw notImplemented(key);
  }
  return objectError('MethodNotAllowed', { method: method.slice(0, 32), resource_type: resource.toUpperCase() });
}

function withNull(key: string): Error {
  const message = 'A query parameter cannot contain a null character.';
  return objectError('InvalidArgument', { argument: key.slice(0, 100) }, message);
}

function notImplemented(key: string): Error {
  const message = `The query parameter ${key.slice(0, 100)} is not implemented for this method and resource.`;
  return objectError('NotImplemented', { argument: key.slice(0, 100) }, message);
}
