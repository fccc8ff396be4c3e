import { isAbsolute } from 'node:path';
import type { ExportSource } from '../target.ts';
import type { BlockdevAdd, QmpNode } from './qmp/commands.ts';

/** The node that has the image open. */
export function imageNode(source: ExportSource, name: string, readOnly: boolean): BlockdevAdd {
  const common = { 'node-name': name, 'read-only': readOnly, discard: 'unmap' };
  if (source.kind === 'file') return { ...common, driver: 'file', filename: source.path };
  const user = source.user === undefined ? {} : { user: source.user };
  return { ...common, driver: 'rbd', conf: source.conf, pool: source.pool, image: source.image, ...user };
}

/** Which image a node has open, by its own word; `null` when it is none of ours. */
export function sourceOf(node: QmpNode): ExportSource | null {
  const options = optionsOf(node.image.filename);
  if (node.drv === 'file') {
    const path = options === null ? node.image.filename : options['filename'];
    return typeof path === 'string' && isAbsolute(path) ? { kind: 'file', path } : null;
  }
  if (node.drv !== 'rbd' || options === null) return null;
  const { conf, pool, image, user } = options;
  if (typeof conf !== 'string' || typeof pool !== 'string' || typeof image !== 'string') return null;
  return { kind: 'rbd', conf, pool, image, ...(typeof user === 'string' ? { user } : {}) };
}

/** QEMU writes what does not fit into a plain file name as `json:` and its options. */
function optionsOf(filename: string): Readonly<Record<string, unknown>> | null {
  if (!filename.startsWith('json:')) return null;
  try {
    const value: unknown = JSON.parse(filename.slice('json:'.length));
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
