// How many entries a table of `lru-cache` may hold. It takes no memory before it needs it: with `max`, lru-cache makes room for all
// entries at once, which is time of each cold start.

/** Options of a table of at most so many entries; the least recently used are forgotten first. */
export function boundedTable(maxEntries: number): { readonly maxSize: number; readonly sizeCalculation: () => number } {
  return { maxSize: maxEntries, sizeCalculation: () => 1 };
}
