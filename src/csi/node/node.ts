import type { NodeRpcs } from '../rpcs.ts';
import type { NodeContext } from './context.ts';
import { expandVolume } from './expand-volume.ts';
import { publishVolume, unpublishVolume } from './publish-volume.ts';
import { stageVolume } from './stage-volume.ts';
import { unstageVolume } from './unstage-volume.ts';
import { volumeStats } from './volume-stats.ts';

const capabilities = [
  'STAGE_UNSTAGE_VOLUME',
  'GET_VOLUME_STATS',
  'EXPAND_VOLUME',
  'VOLUME_CONDITION',
  'SINGLE_NODE_MULTI_WRITER',
].map((type) => ({ rpc: { type } }));

/**
 * The node service. Its programs have deadlines of their own: a mount that has begun is brought to its end also when the caller
 * has gone, and the next call finds it done.
 */
export function nodeRpcs(node: NodeContext): NodeRpcs {
  return {
    NodeStageVolume: (request) => stageVolume(node, request),
    NodeUnstageVolume: (request) => unstageVolume(node, request),
    NodePublishVolume: (request) => publishVolume(node, request),
    NodeUnpublishVolume: (request) => unpublishVolume(node, request),
    NodeGetVolumeStats: (request) => volumeStats(node, request),
    NodeExpandVolume: (request) => expandVolume(node, request),
    NodeGetCapabilities: async () => ({ capabilities }),
    NodeGetInfo: async () => ({ node_id: node.nodeId, max_volumes_per_node: String(node.volumesMax) }),
  };
}
