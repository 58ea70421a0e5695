// Every limit of this stage: how large one message may make the JSON, and what reading it may cost.
// What is cut is named in `problems`; the raw message always has all of it.

/** The limits. Bytes of JSON are bytes of UTF-8 after escaping. */
export const limits = {
  /** Bytes of one field that describes the body (Content-Type …). */
  mimeFieldBytes: 16_384,
  /** Header fields, and bytes of JSON of all of them together, in `headers`. */
  headers: 1_000,
  headersJsonBytes: 393_216,
  /** Addresses in all address fields together, and bytes of JSON of them. */
  addresses: 1_000,
  addressesJsonBytes: 131_072,
  references: 200,
  messageIdBytes: 998,
  subjectBytes: 16_384,
  /** MIME parts that are read (the message itself is one), and bytes of the header of one part. */
  parts: 1_000,
  partHeadBytes: 131_072,
  /** Bytes of a text that are held at once where its charset is to be guessed, or cannot be decoded at any place. */
  heldTextBytes: 1_048_576,
  /** Elements of HTML within one another, and DKIM signatures, above which `problems` names it. */
  htmlDepth: 1_000,
  signatures: 10,
  /** Attachments that are stored. */
  attachments: 250,
  /** A text or HTML body above this many bytes of UTF-8 is stored as an object of its own. */
  inlineBodyBytes: 262_144,
  problems: 100,
  problemDetailChars: 300,
} as const;

/** Between the stage and its worker: chunks of input on their way there, and bytes of objects on their way back, at most. */
export const windows = { inputChunks: 4, outputBytes: 1_048_576 } as const;
