import type { Rule } from './manifests.ts';

/**
 * A sidecar of Kubernetes: what it is for, and what it must be allowed, as its project documents
 * (`deploy/kubernetes/rbac.yaml`).
 */
export interface Sidecar {
  /** The last part of its image's name. */
  readonly image: string;
  /** The capabilities of a controller that it acts on. */
  readonly capabilities: readonly string[];
  /** Arguments without which it does not act on one of them. */
  readonly args: readonly string[];
  readonly needs: readonly Rule[];
}

const needs = (group: string, resource: string, ...verbs: readonly string[]): Rule => ({
  apiGroups: [group],
  resources: [resource],
  verbs,
});
const reads = (group: string, resource: string): Rule => needs(group, resource, 'get', 'list', 'watch');
const events = needs('', 'events', 'list', 'watch', 'create', 'update', 'patch');
/** Of one that is started with `--leader-election`. */
const leases = needs('coordination.k8s.io', 'leases', 'get', 'watch', 'list', 'delete', 'update', 'create');
const [storage, snapshot] = ['storage.k8s.io', 'snapshot.storage.k8s.io'];

/** Those beside the controller. */
export const sidecars: readonly Sidecar[] = [
  {
    image: 'csi-provisioner',
    capabilities: ['CREATE_DELETE_VOLUME', 'CLONE_VOLUME', 'GET_CAPACITY', 'SINGLE_NODE_MULTI_WRITER'],
    args: ['--leader-election', '--enable-capacity'],
    needs: [
      needs('', 'persistentvolumes', 'get', 'list', 'watch', 'create', 'patch', 'delete'),
      needs('', 'persistentvolumeclaims', 'get', 'list', 'watch', 'update'),
      reads(storage, 'storageclasses'),
      reads(storage, 'csinodes'),
      reads(storage, 'volumeattachments'),
      reads(storage, 'volumeattributesclasses'),
      reads('', 'nodes'),
      needs(snapshot, 'volumesnapshots', 'get', 'list'),
      needs(snapshot, 'volumesnapshotcontents', 'get', 'list'),
      // For `--enable-capacity`, whose objects belong to the Deployment.
      needs(storage, 'csistoragecapacities', 'get', 'list', 'watch', 'create', 'update', 'patch', 'delete'),
      needs('', 'pods', 'get'),
      needs('apps', 'replicasets', 'get'),
      events,
      leases,
    ],
  },
  {
    image: 'csi-attacher',
    capabilities: ['PUBLISH_UNPUBLISH_VOLUME', 'PUBLISH_READONLY', 'LIST_VOLUMES', 'LIST_VOLUMES_PUBLISHED_NODES'],
    args: ['--leader-election'],
    needs: [
      needs('', 'persistentvolumes', 'get', 'list', 'watch', 'update', 'patch'),
      reads(storage, 'csinodes'),
      needs(storage, 'volumeattachments', 'get', 'list', 'watch', 'update', 'patch'),
      needs(storage, 'volumeattachments/status', 'patch'),
      leases,
    ],
  },
  {
    image: 'csi-resizer',
    capabilities: ['EXPAND_VOLUME', 'MODIFY_VOLUME'],
    args: ['--leader-election'],
    needs: [
      needs('', 'persistentvolumes', 'get', 'list', 'watch', 'patch'),
      reads('', 'persistentvolumeclaims'),
      needs('', 'persistentvolumeclaims/status', 'patch'),
      reads('', 'pods'),
      reads(storage, 'volumeattributesclasses'),
      events,
      leases,
    ],
  },
  {
    image: 'csi-snapshotter',
    capabilities: ['CREATE_DELETE_SNAPSHOT', 'LIST_SNAPSHOTS'],
    args: ['--leader-election'],
    needs: [
      reads(snapshot, 'volumesnapshotclasses'),
      needs(snapshot, 'volumesnapshotcontents', 'get', 'list', 'watch', 'update', 'patch'),
      needs(snapshot, 'volumesnapshotcontents/status', 'update', 'patch'),
      events,
      leases,
    ],
  },
  {
    image: 'csi-external-health-monitor-controller',
    capabilities: ['VOLUME_CONDITION', 'GET_VOLUME'],
    args: ['--leader-election'],
    needs: [
      reads('', 'persistentvolumes'),
      reads('', 'persistentvolumeclaims'),
      reads('', 'nodes'),
      reads('', 'pods'),
      needs('', 'events', 'get', 'list', 'watch', 'create', 'patch'),
      leases,
    ],
  },
  // It asks the driver whether it is well, and Kubernetes for nothing.
  { image: 'livenessprobe', capabilities: [], args: [], needs: [] },
];
