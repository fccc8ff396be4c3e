import { objectBackendConformance } from '../backend.conformance.ts';
import { MemoryObjectBackend } from './memory.ts';

objectBackendConformance('memory', async () => ({ backend: new MemoryObjectBackend() }), { holdsBlobsInMemory: true });
