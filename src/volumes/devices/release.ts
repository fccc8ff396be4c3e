import type { Attempt } from '../../kernel/operations/operation.ts';
import type { Hosts } from '../hosts.ts';
import { volumeResource } from '../volume.ts';

/** `device.release` */
export interface ReleaseDeviceWork {
  readonly volumeId: string;
}

/**
 * Has the agent of a node take the persistent name of a volume away, so that nothing holds the disk when it goes. A node without
 * an agent that keeps names has none to take, and one that does not answer is for force to overrule.
 *
 * @returns whether there was an agent to ask
 */
export async function releaseDevice(
  hosts: Hosts,
  attempt: Attempt,
  { nodeId, volumeId }: { readonly nodeId: string; readonly volumeId: string },
): Promise<boolean> {
  const host = await hosts.find(nodeId);
  if (host === null || host.state === 'dead' || host.state === 'left' || host.capabilities['links'] !== true)
    return false;
  const input: ReleaseDeviceWork = { volumeId };
  await hosts.run(attempt, { host: host.id, resource: volumeResource(volumeId), kind: 'device.release', input });
  return true;
}
