import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const manifestsDirectory = join(import.meta.dirname, '../../deploy/kubernetes');

interface Named {
  readonly name: string;
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Probe {
  readonly httpGet: { readonly host?: string; readonly port: string | number };
}

export interface Container extends Named {
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly (Named & {
    readonly valueFrom?: { readonly secretKeyRef?: Named & { readonly key: string } };
  })[];
  readonly ports?: readonly (Named & { readonly containerPort: number })[];
  readonly livenessProbe?: Probe;
  readonly volumeMounts: readonly (Named & { readonly mountPath: string; readonly mountPropagation?: string })[];
}

interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly hostNetwork?: boolean;
  readonly containers: readonly Container[];
  readonly volumes: readonly (Named & { readonly hostPath?: { readonly path: string } })[];
}

/** What the tests ask of the objects of Kubernetes; each kind has some of it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Named & { readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly rules?: readonly Rule[];
  readonly roleRef?: Named & { readonly kind: string };
  readonly subjects?: readonly (Named & { readonly kind: string; readonly namespace: string })[];
  readonly provisioner?: string;
  readonly driver?: string;
  readonly allowVolumeExpansion?: boolean;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly attachRequired?: boolean;
    readonly storageCapacity?: boolean;
    readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template?: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: PodSpec;
    };
  };
}

/** Every object in the folder. Throws for what is no YAML, or names a key twice. */
export async function readManifests(): Promise<Manifest[]> {
  const files = (await readdir(manifestsDirectory)).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(files.map((name) => readFile(join(manifestsDirectory, name), 'utf8')));
  return texts.flatMap((text) =>
    parseAllDocuments(text).map((document) => {
      const [problem] = [...document.errors, ...document.warnings];
      if (problem !== undefined) throw problem;
      return document.toJS();
    }),
  );
}
