/**
 * Runs under python3 with Ceph's own binding. The first line of its input says how to reach the cluster, each further line
 * asks for one image; each answer is a line with the number of what was asked. Eight are worked on at a time, so that one
 * that waits for a lost OSD holds up no other. It ends with its input.
 */
export const RBD_PROGRAM = `
import base64, concurrent.futures, json, os, signal, struct, sys, threading
import rados, rbd

signal.signal(signal.SIGINT, signal.SIG_IGN)
speaking = threading.Lock()
NO_SNAPSHOT = 2 ** 64 - 2

def say(answer):
    with speaking:
        print(json.dumps(answer), flush=True)

def failure(error):
    number = getattr(error, 'errno', None) or 0
    return {'errno': abs(number), 'message': f'{type(error).__name__}: {error}'}

# As librbd asks it; to open an image takes a dozen questions more.
def size_in_header(pool, name):
    _, named = pool.execute('rbd_id.' + name, 'rbd', 'get_id', b'')
    (length,) = struct.unpack_from('<I', named)
    header = 'rbd_header.' + named[4:4 + length].decode()
    _, sized = pool.execute(header, 'rbd', 'get_size', struct.pack('<Q', NO_SNAPSHOT))
    return struct.unpack_from('<BQ', sized)[1]

def look(cluster, asked):
    wanted = asked['atLeast']
    with cluster.open_ioctx(asked['pool']) as pool:
        if wanted is None and not asked['head']:
            try:
                return {'size': size_in_header(pool, asked['image']), 'head': ''}
            except (rados.Error, struct.error):
                pass # An image of another format, or what librbd knows to name.
        with rbd.Image(pool, asked['image'], read_only=wanted is None) as image:
            if wanted is not None and image.size() < wanted:
                image.resize(wanted, allow_shrink=False)
            size = image.size()
            head = image.read(0, min(size, asked['head'])) if asked['head'] else b''
            return {'size': size, 'head': base64.b64encode(head).decode()}

def answer(cluster, asked):
    try:
        say({'id': asked['id'], **look(cluster, asked)})
    except Exception as error:
        say({'id': asked['id'], **failure(error)})

reach = json.loads(sys.stdin.readline())
try:
    cluster = rados.Rados(rados_id=reach['user'], conffile=reach['conf'], conf=reach['options'])
    cluster.connect()
except Exception as error:
    say({'id': None, **failure(error)})
    os._exit(1)
workers = concurrent.futures.ThreadPoolExecutor(8)
for line in sys.stdin:
    workers.submit(answer, cluster, json.loads(line))
os._exit(0)
`;
