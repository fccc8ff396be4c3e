import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GIB } from '../../../../test/support/cloudstack/world.ts';
import { at, isKind, newId, reading } from '../conformance/suite.ts';
import { newGibVolume, startBench } from './testkit.ts';

describe('an offering and a zone that were asked for', () => {
  it('are those of the volume, which stands as ours in another zone too', async () => {
    await using bench = await startBench();
    const { world } = bench.simulator;
    const offering = { id: newId(), name: 'Fast' };
    world.offerings.set(offering.id, offering);
    const parameters = { disk_offering_id: offering.id, zone_id: world.otherZoneId };
    const made = await bench.backend.create(at(), newGibVolume({ parameters }));
    const volume = world.volumeNamed(made.image);
    assert.deepEqual([volume.zoneId, volume.offeringId], [world.otherZoneId, offering.id]);
    assert.deepEqual(
      [made.details?.['zone_id'], made.details?.['zone_name'], made.details?.['disk_offering_name']],
      [world.otherZoneId, 'zone-2', 'Fast'],
    );
    assert.deepEqual(await bench.backend.inspect(reading(), made.image), made);
    assert.deepEqual(await bench.backend.list(reading(), { limit: 10 }), [made]);
  });

  it("lets the volumes of others be in other zones, and this zone's go first", async () => {
    await using bench = await startBench();
    const { world } = bench.simulator;
    const away = world.addVolume({ name: 'data', sizeBytes: GIB, state: 'Ready', zoneId: world.otherZoneId });
    assert.equal((await bench.backend.inspect(reading(), 'data'))?.sizeBytes, away.sizeBytes);
    world.addVolume({ name: 'data', sizeBytes: 2n * GIB, state: 'Ready' });
    assert.equal((await bench.backend.inspect(reading(), 'data'))?.sizeBytes, 2n * GIB);
    assert.equal((await bench.backend.list(reading(), { limit: 10 })).length, 1);
  });

  it('make one volume in another zone although the answer was lost', async () => {
    await using bench = await startBench();
    const { world } = bench.simulator;
    const wanted = newGibVolume({ parameters: { zone_id: world.otherZoneId } });
    bench.simulator.fail('createVolume', 'drop_after');
    bench.simulator.fail('createTags', 'drop_before');
    await assert.rejects(bench.backend.create(at(), wanted), isKind('unavailable'));
    const made = await bench.reopen().create(at(2), wanted);
    assert.equal(made.volumeId, wanted.volumeId);
    assert.deepEqual(
      [...world.volumes.values()].map(({ name, zoneId }) => [name, zoneId]),
      [[wanted.image, world.otherZoneId]],
    );
  });

  it('of a fixed size takes that size alone, and none is sent', async () => {
    await using bench = await startBench();
    const { id } = bench.simulator.world.fixedOffering;
    const wish = (gib: bigint) => newGibVolume({ sizeBytes: gib * GIB, parameters: { disk_offering_id: id } });
    const isOther = isKind('invalid', { field: 'size_bytes', allowed_values: [String(5n * GIB)] });
    await assert.rejects(bench.backend.create(at(), wish(2n)), isOther);
    assert.equal(bench.simulator.count('createVolume'), 0);
    const made = await bench.backend.create(at(), wish(5n));
    assert.deepEqual([made.sizeBytes, made.details?.['size_bytes']], [5n * GIB, String(5n * GIB)]);
  });

  it('that CloudStack does not know are refused with its text, and what is no id without asking', async () => {
    await using bench = await startBench();
    const create = (parameters: Record<string, string>) => bench.backend.create(at(), newGibVolume({ parameters }));
    const isUnknown = isKind('not_found', { http_code: 'CLOUDSTACK_ERROR', cloudstack_cs_error_code: 9999 });
    await assert.rejects(create({ disk_offering_id: newId() }), isUnknown);
    await assert.rejects(create({ zone_id: newId() }), isUnknown);
    await assert.rejects(create({ zone_id: 'zone 1; drop' }), isKind('invalid', { field: 'zone_id' }));
    assert.equal(bench.simulator.world.volumes.size, 0);
  });

  it('are not for a clone: it has the offering and the zone of its snapshot', async () => {
    await using bench = await startBench();
    const { world } = bench.simulator;
    const parent = await bench.backend.create(at(), newGibVolume({ parameters: { zone_id: world.otherZoneId } }));
    world.volumeNamed(parent.image).state = 'Ready';
    await bench.backend.createSnapshot(at(), parent.image, 's1');
    const source = { image: parent.image, snapshot: 's1' };
    const clone = (parameters: Record<string, string>) =>
      bench.backend.create(at(), newGibVolume({ source, parameters }));
    await assert.rejects(
      clone({ disk_offering_id: world.customOffering.id }),
      isKind('invalid', { field: 'disk_offering_id' }),
    );
    await assert.rejects(clone({ zone_id: world.zoneId }), isKind('invalid', { field: 'zone_id' }));
    assert.equal((await clone({})).details?.['zone_id'], world.otherZoneId);
    assert.equal((await clone({ zone_id: world.otherZoneId })).details?.['zone_id'], world.otherZoneId);
  });
});

describe('the details of a volume', () => {
  it('are what CloudStack says of it now, as JSON, with sizes exact to the byte', async () => {
    await using bench = await startBench();
    const sizeBytes = (1n << 62n) + 513n;
    const vmId = bench.newVm();
    const facts = { name: 'theirs', sizeBytes, state: 'Ready', vmId, deviceId: 4 } as const;
    const { id } = bench.simulator.world.addVolume(facts);
    const details = (await bench.backend.inspect(reading(), 'theirs'))?.details;
    assert.deepEqual(JSON.parse(JSON.stringify(details)), details);
    assert.deepEqual(
      [details?.['id'], details?.['size_bytes'], details?.['vm_id'], details?.['vm_state'], details?.['device_id']],
      [id, String(sizeBytes), vmId, 'Running', 4],
    );
    assert.equal(details?.['snapshot_id'], null);
  });
});
