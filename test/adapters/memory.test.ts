// The fakes keep the contract too: what a stage does against them it does against the real ones.
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { objectStoreContract } from './object-store-contract.ts';

objectStoreContract('memory store', async () => ({ store: createMemoryStore(), close: async () => {} }));
