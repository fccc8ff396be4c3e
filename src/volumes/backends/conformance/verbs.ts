import type { BackendCapabilities, FencedContext, ImageAttachment, ImageFacts, VolumeBackend } from '../backend.ts';
import { type Suite, at, newAttachment, newId, newVolume } from './suite.ts';

/** A mutating verb, ready to be called on an image on which it makes sense. */
export interface PreparedVerb {
  readonly image: string;
  call(backend: VolumeBackend, context: FencedContext): Promise<unknown>;
}

export interface MutatingVerb {
  readonly verb: string;
  readonly needs?: keyof BackendCapabilities;
  /** Makes what the verb works on, and has the image see `fence`. */
  prepare(suite: Suite, fence: number): Promise<PreparedVerb>;
}

/** Every mutating verb of the port, for laws that hold for each of them. */
export const MUTATING_VERBS: readonly MutatingVerb[] = [
  {
    verb: 'create',
    prepare: async (suite, fence) => {
      const volume = newVolume();
      await suite.backend.create(at(fence), volume);
      return { image: volume.image, call: (backend, context) => backend.create(context, volume) };
    },
  },
  {
    verb: 'create from a snapshot',
    needs: 'clone',
    prepare: async (suite, fence) => {
      const parent = await suite.makeWithSnapshot();
      const volume = newVolume({ source: { image: parent.image, snapshot: 's1' } });
      await suite.backend.create(at(fence), volume);
      return { image: volume.image, call: (backend, context) => backend.create(context, volume) };
    },
  },
  onImage('resize', (backend, context, { image, sizeBytes }) => backend.resize(context, image, sizeBytes * 2n)),
  onImage('createSnapshot', (backend, context, { image }) => backend.createSnapshot(context, image, 's2'), 'snapshots'),
  onSnapshot('deleteSnapshot', (backend, context, image) => backend.deleteSnapshot(context, image, 's1')),
  onSnapshot('revert', (backend, context, image) => backend.revert(context, image, 's1')),
  onAttachment('attach', (backend, context, image, attachment) => backend.attach(context, image, attachment)),
  onAttachment('detach', (backend, context, image, { attachmentId, generation }) =>
    backend.detach(context, image, { attachmentId, generation, force: false }),
  ),
  onImage('setQos', (backend, context, { image }) => backend.setQos(context, image, { iops: 100 }), 'qos'),
  onImage('trash', (backend, context, { image }) => backend.trash(context, image), 'trash'),
  {
    verb: 'restore',
    needs: 'trash',
    prepare: async (suite, fence) => {
      const { image } = await suite.make();
      await suite.backend.trash(at(fence), image);
      return { image, call: (backend, context) => backend.restore(context, image) };
    },
  },
  onImage('purge', (backend, context, { image }) => backend.purge(context, image)),
  {
    verb: 'adopt',
    prepare: async (suite, fence) => {
      const [image, tag] = [`foreign-${newId()}`, { volumeId: newId(), name: 'imported' }];
      await suite.harness.putForeignImage(image, 1024n * 1024n);
      await suite.backend.adopt(at(fence), image, tag);
      return { image, call: (backend, context) => backend.adopt(context, image, tag) };
    },
  },
];

function onImage(
  verb: string,
  run: (backend: VolumeBackend, context: FencedContext, facts: ImageFacts) => Promise<unknown>,
  needs?: keyof BackendCapabilities,
): MutatingVerb {
  return {
    verb,
    ...(needs === undefined ? {} : { needs }),
    prepare: async (suite, fence) => {
      const made = await suite.backend.create(at(fence), newVolume());
      return { image: made.image, call: (backend, context) => run(backend, context, made) };
    },
  };
}

function onSnapshot(
  verb: string,
  run: (backend: VolumeBackend, context: FencedContext, image: string) => Promise<unknown>,
): MutatingVerb {
  return {
    verb,
    needs: 'snapshots',
    prepare: async (suite, fence) => {
      const { image } = await suite.make();
      await suite.backend.createSnapshot(at(fence), image, 's1');
      return { image, call: (backend, context) => run(backend, context, image) };
    },
  };
}

function onAttachment(
  verb: string,
  run: (backend: VolumeBackend, context: FencedContext, image: string, attachment: ImageAttachment) => Promise<unknown>,
): MutatingVerb {
  return {
    verb,
    prepare: async (suite, fence) => {
      const attachment = newAttachment();
      const { image } = await suite.make();
      await suite.backend.attach(at(fence), image, attachment);
      return { image, call: (backend, context) => run(backend, context, image, attachment) };
    },
  };
}
