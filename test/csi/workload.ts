import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Driver, capability, nodeId, unique } from './driver.ts';

/** A volume on its way to a workload of this machine; `await using` takes it all back. */
export interface Workload extends AsyncDisposable {
  readonly volumeId: string;
  readonly stagingPath: string;
  readonly targetPath: string;
  readonly publishContext: Record<string, string>;
  stage(more?: object): Promise<void>;
  publish(more?: object): Promise<void>;
  unpublish(targetPath?: string): Promise<void>;
  unstage(): Promise<void>;
}

/** Publishes a volume to this node, as the orchestrator does before it calls the node. */
export async function workloadOf(driver: Driver, volumeId: string, access = capability()): Promise<Workload> {
  const folder = join(driver.directory, unique('workload'));
  const [stagingPath, targetPath] = [join(folder, 'staging'), join(folder, 'target')];
  await mkdir(stagingPath, { recursive: true });
  const published = await driver.call('ControllerPublishVolume', {
    volume_id: volumeId,
    node_id: nodeId,
    volume_capability: access,
  });
  const publishContext: Record<string, string> = published['publish_context'];
  const common = {
    volume_id: volumeId,
    staging_target_path: stagingPath,
    volume_capability: access,
    publish_context: publishContext,
  };
  const workload = {
    volumeId,
    stagingPath,
    targetPath,
    publishContext,
    stage: async (more: object = {}) => void (await driver.call('NodeStageVolume', { ...common, ...more })),
    publish: async (more: object = {}) =>
      void (await driver.call('NodePublishVolume', { ...common, target_path: targetPath, ...more })),
    unpublish: async (target = targetPath) =>
      void (await driver.call('NodeUnpublishVolume', { volume_id: volumeId, target_path: target })),
    unstage: async () =>
      void (await driver.call('NodeUnstageVolume', { volume_id: volumeId, staging_target_path: stagingPath })),
  };
  return {
    ...workload,
    async [Symbol.asyncDispose]() {
      await workload.unpublish();
      await workload.unstage();
      await driver.call('ControllerUnpublishVolume', { volume_id: volumeId, node_id: nodeId });
    },
  };
}
