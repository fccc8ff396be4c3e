import { hash } from 'node:crypto';

/**
 * The name under which a node connects to NVMe subsystems. It follows from the node's id, so the controller knows without
 * being told whom an export is for, and no file of the machine has to say the same.
 */
export function hostNqnOf(nodeId: string): string {
  return `nqn.2026-01.io.holdfast:node:${nodeId}`;
}

/**
 * The host identifier that goes with the name: the kernel takes one of them only with the other. A UUID made of a hash (RFC 9562,
 * version 8).
 */
export function hostIdOf(nodeId: string): string {
  const hex = hash('sha256', hostNqnOf(nodeId));
  const marked = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17, 32)}`;
  return marked.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
