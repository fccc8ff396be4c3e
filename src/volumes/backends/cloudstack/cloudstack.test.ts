import { GIB } from '../../../../test/support/cloudstack/world.ts';
import { backendConformance } from '../backend.conformance.ts';
import { asSuiteWantsIt, backendOf, startBench } from './testkit.ts';

backendConformance('cloudstack', async () => {
  const bench = await startBench();
  const { simulator, backend } = bench;
  // The names of nodes that the suite uses. Ids are text on the wire.
  for (const id of ['node-a', 'node-b']) simulator.world.addVm({ id, maxDataDisks: 1_000 });
  simulator.world.addVm({ id: 'stopped-node', state: 'Stopped' });
  return {
    backend: asSuiteWantsIt(backend, simulator),
    hasReadOnly: false,
    rootNode: 'stopped-node',
    reopen: () => Promise.resolve(asSuiteWantsIt(backendOf(simulator), simulator)),
    putForeignImage: (image: string, units: bigint) => {
      simulator.world.addVolume({ name: image, sizeBytes: units * GIB, state: 'Ready' });
      return Promise.resolve();
    },
    teardown: async () => {
      await bench[Symbol.asyncDispose]();
    },
  };
});
