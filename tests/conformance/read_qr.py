"""Reads the one QR code (ISO/IEC 18004, level M, byte mode) of a page that poppler drew, and prints what it says.

    pdftoppm -gray -r 300 -f 1 -l 1 relazione.pdf page    # page-1.pgm, or page-01.pgm
    python3 read_qr.py page-1.pgm

Python's own library only, and nothing of the archive's. A drawn code has no dirt, so errors are not corrected: every
block must be a codeword as it stands, or the code is refused.
"""
import itertools
import sys

# Level M, by version from 1: error correction codewords of a block, and blocks (ISO/IEC 18004 table 9).
CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26] + [26] * 2 + [28] * 18
BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29,
          31, 33, 35, 37, 38, 40, 43, 45, 47, 49]
MASKS = [
    lambda r, c: (r + c) % 2 == 0, lambda r, c: r % 2 == 0, lambda r, c: c % 3 == 0, lambda r, c: (r + c) % 3 == 0,
    lambda r, c: (r // 2 + c // 3) % 2 == 0, lambda r, c: r * c % 2 + r * c % 3 == 0,
    lambda r, c: (r * c % 2 + r * c % 3) % 2 == 0, lambda r, c: ((r + c) % 2 + r * c % 3) % 2 == 0,
]


def page(name):
    """Rows of booleans: dark or not."""
    octets = open(name, 'rb').read()
    magic, width, height, most, start = octets[:2], None, None, None, 0
    if magic != b'P5':
        raise SystemExit('not a PGM')
    numbers, at = [], 2
    while len(numbers) < 3:
        while octets[at:at + 1].isspace():
            at += 1
        end = at
        while not octets[end:end + 1].isspace():
            end += 1
        numbers.append(int(octets[at:end]))
        at = end
    width, height, most = numbers
    start = at + 1
    return [[value * 2 < most for value in octets[start + row * width:start + (row + 1) * width]] for row in range(height)]


def runs(line):
    """Beginning, length and colour of each run."""
    found, begun = [], 0
    for at in range(1, len(line) + 1):
        if at == len(line) or line[at] != line[begun]:
            found.append((begun, at - begun, line[begun]))
            begun = at
    return found


def finders(rows):
    """Centres of the three finder patterns: dark 1, light 1, dark 3, light 1, dark 1, both ways."""
    def centres(line):
        found = runs(line)
        for place in range(len(found) - 4):
            five = found[place:place + 5]
            unit = sum(length for _, length, _ in five) / 7
            if five[0][2] and unit >= 2 and all(
                    abs(length - wanted * unit) <= unit * 0.6 for (_, length, _), wanted in zip(five, (1, 1, 3, 1, 1))):
                yield five[0][0] + 3.5 * unit, unit
    clusters = []
    for row, line in enumerate(rows):
        for column, unit in centres(line):
            upright = [other[int(column)] for other in rows]
            for middle, other in centres(upright):
                if abs(middle - row) <= 1 and abs(unit - other) <= unit * 0.3:
                    for cluster in clusters:
                        if abs(cluster[0][0] - middle) < 4 * unit and abs(cluster[0][1] - column) < 4 * unit:
                            cluster.append((middle, column, unit))
                            break
                    else:
                        clusters.append([(middle, column, unit)])
    return [tuple(sum(values) / len(values) for values in zip(*cluster)) for cluster in clusters]


def grids(rows):
    """Every grid of modules that three finder patterns span: in the data of a code a fourth may show by chance."""
    for top, right, low in itertools.permutations(finders(rows), 3):
        unit = (top[2] + right[2] + low[2]) / 3
        wide, high = right[1] - top[1], low[0] - top[0]
        square = abs(top[0] - right[0]) <= unit and abs(top[1] - low[1]) <= unit and abs(wide - high) <= unit
        size = 17 + 4 * round((wide / unit + 7 - 17) / 4)
        if not square or not 21 <= size <= 177:
            continue
        pitch = (wide / (size - 7), high / (size - 7))
        at = lambda r, c: rows[int(top[0] + (r - 3) * pitch[1])][int(top[1] + (c - 3) * pitch[0])]
        try:
            yield [[at(r, c) for c in range(size)] for r in range(size)]
        except IndexError:
            pass


def is_function(size, version):
    """Modules that carry no data."""
    taken = [[False] * size for _ in range(size)]

    def take(r0, r1, c0, c1):
        for r in range(max(r0, 0), min(r1, size)):
            for c in range(max(c0, 0), min(c1, size)):
                taken[r][c] = True
    take(0, 9, 0, 9), take(0, 9, size - 8, size), take(size - 8, size, 0, 9)
    take(6, 7, 0, size), take(0, size, 6, 7)
    if version >= 7:
        take(0, 6, size - 11, size), take(size - 11, size, 0, 6)
    if version >= 2:
        count = version // 7 + 2
        step = 26 if version == 32 else (version * 4 + count * 2 + 1) // (count * 2 - 2) * 2
        places = [6] + [size - 7 - n * step for n in range(count - 1)][::-1]
        for r in places:
            for c in places:
                if not ((r == 6 and c in (6, size - 7)) or (c == 6 and r == size - 7)):
                    take(r - 2, r + 3, c - 2, c + 3)
    return taken


def remainder_is_zero(block, count):
    """Whether a block is a codeword of Reed and Solomon over GF(256), polynomial 0x11d: its syndromes are zero."""
    exponent, logarithm, value = [0] * 512, [0] * 256, 1
    for n in range(255):
        exponent[n] = exponent[n + 255] = value
        logarithm[value] = n
        value = value << 1 ^ (0x11d if value & 0x80 else 0)
    for root in range(count):
        total = 0
        for codeword in block:
            total = codeword ^ (exponent[(logarithm[total] + root) % 255] if total else 0)
        if total:
            return False
    return True


def read(grid):
    size = len(grid)
    version = (size - 17) // 4
    # Format: mask and level, beside the first finder pattern, itself masked with 101010000010010.
    places = [(8, c) for c in (0, 1, 2, 3, 4, 5, 7, 8)] + [(r, 8) for r in (7, 5, 4, 3, 2, 1, 0)]
    form = 0
    for r, c in places:
        form = form << 1 | grid[r][c]
    form ^= 0b101010000010010
    if form >> 13 != 0:
        raise ValueError('not of level M')
    mask, taken, bits = MASKS[form >> 10 & 7], is_function(size, version), []
    upward, right = True, size - 1
    while right > 0:
        right -= right == 6
        for step in range(size):
            r = size - 1 - step if upward else step
            for c in (right, right - 1):
                if not taken[r][c]:
                    bits.append(grid[r][c] ^ mask(r, c))
        upward, right = not upward, right - 2
    codewords = [sum(bit << 7 - n for n, bit in enumerate(bits[at:at + 8])) for at in range(0, len(bits) - 7, 8)]
    blocks, correction = BLOCKS[version - 1], CORRECTION[version - 1]
    short = len(codewords) // blocks - correction
    longer = len(codewords) % blocks
    data, at = [[] for _ in range(blocks)], 0
    for column in range(short + 1):
        for block in range(blocks):
            if column < short or block >= blocks - longer:
                data[block].append(codewords[at])
                at += 1
    whole = [list(block) for block in data]
    for column in range(correction):
        for block in range(blocks):
            whole[block].append(codewords[at])
            at += 1
    if not all(remainder_is_zero(block, correction) for block in whole):
        raise ValueError('a block is damaged')
    text = ''.join(format(codeword, '08b') for block in data for codeword in block)
    said, at = b'', 0
    while text[at:at + 4] == '0100':
        wide = 8 if version < 10 else 16
        length = int(text[at + 4:at + 4 + wide], 2)
        at += 4 + wide
        said += bytes(int(text[at + 8 * n:at + 8 * n + 8], 2) for n in range(length))
        at += 8 * length
    if text[at:at + 4].strip('0'):
        raise ValueError('not in byte mode')
    return said


why = 'no finder patterns'
for grid in grids(page(sys.argv[1])):
    try:
        sys.stdout.buffer.write(read(grid))
        break
    except (ValueError, IndexError) as error:
        why = error
else:
    raise SystemExit(why)
