// Opens what packing.py packed. Pure functions, no page needed.

const TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
};

/** The arrays by name. `layout` says of each its type, its first byte and its shape; `packed` is the zlib stream. */
export async function unpack(layout, packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  return Object.fromEntries(
    Object.entries(layout).map(([name, [type, start, shape]]) => {
      const length = shape.reduce((product, n) => product * n, 1);
      return [name, new TYPES[type](buffer, start, length)];
    }),
  );
}
