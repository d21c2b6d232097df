// Opens what packing.py packed. Pure functions, no page needed.

const TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
};

const [BITS, FIRST] = [15, 0x3400]; // of data_script.py

/** The bytes that a text holds, 15 bits in each of its characters. */
export function bytesOf(text, length) {
  const bytes = new Uint8Array(length);
  let [bits, known, at] = [0, 0, 0];
  for (let i = 0; at < length; i++) {
    bits = (bits << BITS) | (text.charCodeAt(i) - FIRST);
    for (known += BITS; known >= 8 && at < length; known -= 8) bytes[at++] = bits >> (known - 8);
  }
  return bytes;
}

async function inflate(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The layout of some arrays and their zlib stream, from a file's text: the layout comes first, in a stream of its own.
 * @param lengths bytes of both */
export async function fromText([head, body], text) {
  const bytes = bytesOf(text, head + body);
  const layout = JSON.parse(new TextDecoder().decode(await inflate(bytes.subarray(0, head))));
  return { layout, packed: bytes.subarray(head) };
}

/** The arrays by name. `layout` says of each its type, its first byte and its shape; `packed` is the zlib stream. */
export async function unpack(layout, packed) {
  const buffer = await inflate(packed);
  return Object.fromEntries(
    Object.entries(layout).map(([name, [type, start, shape]]) => {
      const length = shape.reduce((product, n) => product * n, 1);
      return [name, new TYPES[type](buffer, start, length)];
    }),
  );
}
