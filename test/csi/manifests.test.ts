/** The manifests for Kubernetes, as far as they can be judged without a cluster. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseParameters } from '../../src/csi/controller/parameters.ts';
import { driverName } from '../../src/csi/identity.ts';
import type { Reply } from './calls.ts';
import { startDriver } from './driver.ts';
import { type Container, type Manifest, type Rule, readManifests } from './manifests.ts';
import { sidecars } from './sidecars.ts';

const root = join(import.meta.dirname, '../..');
const namespace = 'holdfast';
/** Where the driver's socket is by default. */
const endpoint = '/csi/csi.sock';
/** The API that each kind is of. */
const apis: Readonly<Record<string, string>> = {
  Namespace: 'v1',
  ServiceAccount: 'v1',
  ClusterRole: 'rbac.authorization.k8s.io/v1',
  ClusterRoleBinding: 'rbac.authorization.k8s.io/v1',
  Role: 'rbac.authorization.k8s.io/v1',
  RoleBinding: 'rbac.authorization.k8s.io/v1',
  Deployment: 'apps/v1',
  DaemonSet: 'apps/v1',
  CSIDriver: 'storage.k8s.io/v1',
  StorageClass: 'storage.k8s.io/v1',
  VolumeSnapshotClass: 'snapshot.storage.k8s.io/v1',
};
const ofCluster = [
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'CSIDriver',
  'StorageClass',
  'VolumeSnapshotClass',
];

describe('the manifests for Kubernetes', () => {
  let all: Manifest[];
  before(async () => void (all = await readManifests()));

  const one = (kind: string): Manifest => {
    const found = all.filter((each) => each.kind === kind);
    assert.equal(found.length, 1, `one ${kind}`);
    return found[0]!;
  };
  const podOf = (kind: string) => one(kind).spec!.template!.spec;
  const containerOf = (kind: string, image: string): Container => {
    const found = podOf(kind).containers.filter((each) => each.image.split('/').at(-1)?.split(':')[0] === image);
    assert.equal(found.length, 1, `one ${image} in the ${kind}`);
    return found[0]!;
  };
  const workloads = ['Deployment', 'DaemonSet'];

  test('are objects of known kinds, once each, in the namespace', () => {
    for (const { kind, apiVersion, metadata } of all) {
      assert.equal(apiVersion, apis[kind], kind);
      assert.match(metadata.name, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
      assert.equal(metadata.namespace, ofCluster.includes(kind) ? undefined : namespace, kind);
    }
    assert.equal(one('Namespace').metadata.name, namespace);
    assert.deepEqual(all.map(({ kind }) => kind).toSorted(), Object.keys(apis).toSorted());
  });

  test('bind the roles to the account under which the controller runs, and give nodes none', () => {
    const account = one('ServiceAccount').metadata.name;
    for (const kind of ['ClusterRole', 'Role']) {
      const { roleRef, subjects } = one(`${kind}Binding`);
      assert.deepEqual([roleRef?.kind, roleRef?.name], [kind, one(kind).metadata.name]);
      assert.deepEqual(subjects, [{ kind: 'ServiceAccount', name: account, namespace }]);
    }
    assert.equal(podOf('Deployment').serviceAccountName, account);
    assert.equal(podOf('DaemonSet').automountServiceAccountToken, false);
  });

  test('have a sidecar for each capability of the controller, which is allowed what it needs and no more', async () => {
    await using driver = await startDriver({ flags: { 'storage-backend': 'memory' } });
    const { capabilities } = await driver.call('ControllerGetCapabilities', {});
    const served = (capabilities as readonly Reply[]).map((each): string => each['rpc'].type);
    assert.deepEqual(served.toSorted(), sidecars.flatMap((each) => each.capabilities).toSorted());
    for (const { image, args } of sidecars) {
      const container = containerOf('Deployment', image);
      for (const arg of args) assert.ok(container.args.includes(arg), `${image} ${arg}`);
    }
    const images = podOf('Deployment').containers.map((each) => each.image.split('/').at(-1)!.split(':')[0]!);
    assert.deepEqual(images.toSorted(), ['holdfast', ...sidecars.map(({ image }) => image)].toSorted());
    const given = grants([...one('ClusterRole').rules!, ...one('Role').rules!]);
    const needed = grants(sidecars.flatMap((each) => each.needs));
    const patchOfLease = 'coordination.k8s.io/leases:patch';
    assert.deepEqual([...given].toSorted(), [...new Set([...needed, patchOfLease])].toSorted());
  });

  test('let all find the driver at the one socket where it listens', () => {
    for (const kind of workloads) {
      for (const { name, image, args, volumeMounts } of podOf(kind).containers) {
        assert.equal(volumeMounts.find((mount) => mount.mountPath === '/csi')?.name, 'socket', `${kind} ${name}`);
        if (!image.includes('/sig-storage/')) continue;
        assert.ok(args.includes(`--csi-address=${endpoint}`), `${kind} ${name}`);
        assert.match(image, /^registry\.k8s\.io\/sig-storage\/[a-z-]+:v\d+\.\d+\.\d+$/);
      }
    }
    const host = podOf('DaemonSet').volumes.find(({ name }) => name === 'socket')?.hostPath?.path;
    assert.equal(host, `/var/lib/kubelet/plugins/${driverName}`);
    const { args, volumeMounts } = containerOf('DaemonSet', 'csi-node-driver-registrar');
    assert.ok(args.includes(`--kubelet-registration-path=${host}/csi.sock`));
    assert.ok(volumeMounts.some((mount) => mount.mountPath === '/registration'));
  });

  test('mount what is declared, and let Kubernetes see what the node mounts', () => {
    for (const kind of workloads) {
      const { containers, volumes } = podOf(kind);
      const used = new Set(containers.flatMap((each) => each.volumeMounts.map(({ name }) => name)));
      assert.deepEqual([...used].toSorted(), volumes.map(({ name }) => name).toSorted(), kind);
      const { selector, template } = one(kind).spec!;
      assert.deepEqual(template?.metadata.labels, selector?.matchLabels);
    }
    const { volumeMounts } = containerOf('DaemonSet', 'holdfast');
    const kubelet = volumeMounts.find(({ name }) => name === 'kubelet');
    assert.deepEqual([kubelet?.mountPath, kubelet?.mountPropagation], ['/var/lib/kubelet', 'Bidirectional']);
  });

  test('ask whether the driver is well where its sidecar answers', () => {
    const { livenessProbe, ports } = containerOf('Deployment', 'holdfast');
    const { port } = livenessProbe!.httpGet;
    const number = ports?.find(({ name }) => name === port)?.containerPort;
    assert.ok(containerOf('Deployment', 'livenessprobe').args.includes(`--health-port=${number}`));
    const { host, port: nodePort } = containerOf('DaemonSet', 'holdfast').livenessProbe!.httpGet;
    assert.ok(containerOf('DaemonSet', 'livenessprobe').args.includes(`--http-endpoint=${host}:${nodePort}`));
    assert.equal(podOf('DaemonSet').hostNetwork, true);
  });

  test('call the program by arguments and settings that it has', async () => {
    const bin = join(root, 'bin/holdfast.js');
    const { stdout: help } = await promisify(execFile)(process.execPath, [bin, 'csi', '--help'], { timeout: 60_000 });
    assert.match(help, new RegExp(`unix://${endpoint}`), 'the default');
    for (const kind of workloads) {
      const [command, ...args] = containerOf(kind, 'holdfast').args;
      assert.equal(command, 'csi');
      for (const flag of args.filter((arg) => arg.startsWith('--'))) assert.match(help, new RegExp(`^ *${flag} `, 'm'));
    }
    assert.ok(containerOf('DaemonSet', 'holdfast').env?.some(({ name }) => name === 'NODE_ID'));
    const state = containerOf('DaemonSet', 'holdfast').volumeMounts.find(({ name }) => name === 'state');
    assert.match(help, new RegExp(`"${state?.mountPath}"`), 'what outlives the pod is where the driver keeps it');
  });

  test('take the address and the token from the secret that the README tells to make', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const secret = new RegExp(`-n ${namespace} create secret generic (\\S+) (.*)$`, 'm').exec(readme);
    const told = [...secret![2]!.matchAll(/--from-literal=(\w+)=/g)].map(([, key]) => `${secret![1]}/${key}`);
    const { env } = containerOf('Deployment', 'holdfast');
    const asked = env!.map(({ valueFrom }) => `${valueFrom?.secretKeyRef?.name}/${valueFrom?.secretKeyRef?.key}`);
    assert.deepEqual(asked.toSorted(), told.toSorted());
    assert.deepEqual(env!.map(({ name }) => name).toSorted(), ['HOLDFAST_TOKEN', 'HOLDFAST_URL']);
  });

  test('say of the driver what is so', () => {
    const { metadata, spec } = one('CSIDriver');
    assert.equal(metadata.name, driverName);
    assert.deepEqual([spec?.attachRequired, spec?.storageCapacity], [true, true]);
    const { provisioner, allowVolumeExpansion, parameters } = one('StorageClass');
    assert.deepEqual([provisioner, allowVolumeExpansion], [driverName, true]);
    assert.doesNotThrow(() => parseParameters(parameters!));
    assert.equal(one('VolumeSnapshotClass').driver, driverName);
  });
});

/** Each thing that may be done, such as `apps/replicasets:get`. */
function grants(rules: readonly Rule[]): Set<string> {
  const each = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group === '' ? 'core' : group}/${resource}:${verb}`)),
    ),
  );
  return new Set(each);
}
