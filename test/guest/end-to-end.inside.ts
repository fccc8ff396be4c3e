/** Runs inside a guest, see `end-to-end.test.ts`: server, agent, CSI driver and the machine that uses volumes are all here. */
import { after, before, describe } from 'node:test';
import { csiStories } from './end-to-end-csi.ts';
import { exportStories } from './end-to-end-exports.ts';
import { Server } from './server.ts';

describe('on one machine', () => {
  const server = new Server('/scratch/data');
  before(() => server.start());
  after(() => server.stop());
  exportStories(server);
  csiStories(server);
});
