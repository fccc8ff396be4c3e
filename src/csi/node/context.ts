import { isAbsolute, normalize } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Labels } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import type { Connector } from './connector.ts';
import type { StageRecord, StageRecords } from './stage-records.ts';
import type { NodeSystem } from './system.ts';
import type { Turns } from './turns.ts';

export interface NodeContext {
  readonly nodeId: string;
  /** How many volumes the node can have; 0: nobody knows. */
  readonly volumesMax: number;
  readonly system: NodeSystem;
  /** By transport. */
  readonly connectors: Readonly<Record<string, Connector>>;
  readonly records: StageRecords;
  readonly turns: Turns;
}

/** @throws CsiRefusal `INVALID_ARGUMENT` when a required field is empty. */
export function requireField(value: string, field: string): string {
  if (value !== '') return value;
  throw new CsiRefusal('INVALID_ARGUMENT', `The ${field} is missing.`);
}

/** A path of the machine. @throws CsiRefusal `INVALID_ARGUMENT` when it is missing or not absolute. */
export function requirePath(value: string, field: string): string {
  requireField(value, field);
  if (isAbsolute(value) && !value.includes('\0')) return normalize(value).replace(/(?<=.)\/$/, '');
  throw new CsiRefusal('INVALID_ARGUMENT', `The ${field} must be an absolute path.`);
}

export function connectorOf({ connectors }: NodeContext, context: Labels): Connector {
  const transport = context['transport'] ?? 'none';
  const connector = Object.hasOwn(connectors, transport) ? connectors[transport] : undefined;
  if (connector !== undefined) return connector;
  throw new HoldfastError('unsupported', `This node knows no transport ${transport.slice(0, 50)}.`);
}

/**
 * The record of a volume at one of its paths: where it is staged or published.
 *
 * @throws CsiRefusal `NOT_FOUND` when it is not there.
 */
export async function requireStagedAt(node: NodeContext, volumeId: string, path: string): Promise<StageRecord> {
  const record = await node.records.read(volumeId);
  const normal = normalize(path);
  const isThere = record?.stagingPath === normal || record?.targets.some((target) => target.path === normal) === true;
  if (record !== null && isThere) return record;
  throw new CsiRefusal('NOT_FOUND', `Volume ${volumeId.slice(0, 200)} is not at ${path.slice(0, 500)}.`);
}

/** @throws HoldfastError `unavailable` when the device of a staged volume is gone. */
export async function requireDevice(node: NodeContext, record: StageRecord): Promise<string> {
  const device = await connectorOf(node, record.context).find(record);
  if (device !== null) return device;
  throw new HoldfastError('unavailable', `The device of volume ${record.volumeId} is gone from this node.`);
}
