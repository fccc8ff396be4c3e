import type { ImageDetails } from '../backend.ts';
import { type JsonObject, bigintIn, integerIn, textIn } from './json.ts';

/** What CloudStack calls each of these facts; virtual machines are VMs in the API of Holdfast. */
const texts = {
  id: 'id',
  name: 'name',
  state: 'state',
  type: 'type',
  zone_id: 'zoneid',
  zone_name: 'zonename',
  vm_id: 'virtualmachineid',
  vm_name: 'vmname',
  vm_state: 'vmstate',
  attached_at: 'attached',
  disk_offering_id: 'diskofferingid',
  disk_offering_name: 'diskofferingname',
  snapshot_id: 'snapshotid',
  storage: 'storage',
  storage_type: 'storagetype',
  path: 'path',
  hypervisor: 'hypervisor',
  account: 'account',
  domain: 'domain',
  created_at: 'created',
} as const;

/** A row of `listVolumes` for people. What CloudStack does not tell is `null`; the size is exact decimal text, in bytes. */
export function detailsOf(object: JsonObject): ImageDetails {
  const told = Object.entries(texts).map(([name, key]) => [name, textIn(object, key)] as const);
  const sizeBytes = bigintIn(object, 'size');
  return {
    ...Object.fromEntries(told),
    device_id: integerIn(object, 'deviceid'),
    size_bytes: sizeBytes === null ? null : String(sizeBytes),
  };
}
