//! How much room Go leaves behind a slice that was appended to: `slice` of a template can reach into it.

/// Bytes of the memory blocks that Go hands out, up to those of whole pages.
const BLOCKS: [usize; 66] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
    384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048,
    2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728,
    10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672,
];
const LARGEST: usize = 32_768;
const PAGE: usize = 8192;
/// What a block of pointers beyond [`PLAIN_POINTERS`] bytes begins with.
const HEADER: usize = 8;
const PLAIN_POINTERS: usize = 512;

/// The memory that elements have.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Bytes of one.
    pub(super) size: usize,
    pub(super) pointers: bool,
}

/// The capacity after one `append` to a slice of `capacity`, which comes to `length` elements.
pub(super) fn grown(capacity: usize, length: usize, layout: Layout) -> usize {
    if length <= capacity {
        return capacity;
    }
    let wanted = if length > capacity * 2 {
        length
    } else if capacity < 256 {
        capacity * 2
    } else {
        let mut wanted = capacity;
        while wanted < length {
            wanted += (wanted + 3 * 256) >> 2;
        }
        wanted
    };
    rounded(wanted * layout.size, layout.pointers) / layout.size
}

/// The capacity after `length` elements were appended one by one to an empty slice of `capacity`.
pub(super) fn appended(mut capacity: usize, length: usize, layout: Layout) -> usize {
    while capacity < length {
        capacity = grown(capacity, capacity + 1, layout);
    }
    capacity
}

fn rounded(bytes: usize, pointers: bool) -> usize {
    if bytes > LARGEST - HEADER {
        return bytes.div_ceil(PAGE) * PAGE;
    }
    let header = if pointers && bytes > PLAIN_POINTERS { HEADER } else { 0 };
    let block = BLOCKS.iter().copied().find(|&block| block >= bytes + header);
    block.unwrap_or(LARGEST) - header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_as_in_go() {
        let interfaces = Layout { size: 16, pointers: true };
        let ints = Layout { size: 8, pointers: false };
        let capacities = |layout| [0, 1, 3, 5, 9, 33, 65].map(|length| appended(0, length, layout));
        assert_eq!(capacities(ints), [0, 1, 4, 8, 16, 64, 128]);
        assert_eq!(capacities(interfaces), [0, 1, 4, 8, 16, 71, 71]);
        assert_eq!(grown(3, 4, interfaces), 6);
    }
}
