// A message that is sent a few octets at a time is read in as many pieces, and each costs some two hundred bytes of memory
// besides its octets. Small pieces are put together before they are held.

const smallBytes = 4_096;
const blockBytes = 8_192;

/** Pieces in, fewer pieces out, in order. Large pieces pass as they are, and so does a small one that stays alone. */
export type PieceGatherer = {
  /** The next bytes to pass on, `piece` at their end; null where it was kept. A kept piece must not change. */
  readonly add: (piece: Buffer) => Buffer | null;
  /** What was kept, at the end; null where nothing was. */
  readonly rest: () => Buffer | null;
};

/** A gatherer that holds at most 8 KiB. */
export function createPieceGatherer(): PieceGatherer {
  let block: Buffer | null = null; // made for the second small piece
  let kept: Buffer | null = null;
  return {
    add(piece) {
      if (kept === null) {
        if (piece.length >= smallBytes) return piece;
        kept = piece;
        return null;
      }
      if (kept.length + piece.length > blockBytes) {
        const whole = Buffer.concat([kept, piece]);
        kept = null;
        return whole;
      }
      block ??= Buffer.allocUnsafeSlow(blockBytes);
      if (kept.buffer !== block.buffer) kept.copy(block);
      kept = block.subarray(0, kept.length + piece.copy(block, kept.length));
      return null;
    },
    rest() {
      const last = kept;
      kept = null;
      return last;
    },
  };
}
