// The tokens that llama.cpp makes of 10,000 random texts, as a digest of each hundred.
//
//     cc -O2 -I llama.cpp/include -I llama.cpp/ggml/include tokens.c -o tokens \
//         libllama.a libggml.a libggml-cpu.a libggml-base.a -lstdc++ -lm -lpthread -lgomp
//     ./tokens pools.txt VOCABULARY.gguf            a line for each hundred
//     ./tokens pools.txt VOCABULARY.gguf NUMBER     the text and the ids of one
//     ./tokens pools.txt VOCABULARY.gguf +NAME      a line for each hundred, cut as files of that name
//
// The numbers, texts and digests are those of ../../texts.rs.
#include "llama.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 10000, HUNDRED = 100, POOLS = 64, CHARS = 128, BYTES = 8192 };

static char pools[POOLS][CHARS][5];
static int lengths[POOLS], pool_count;

static void utf8(uint32_t c, char * to) {
    if (c < 0x80) {
        sprintf(to, "%c", c);
    } else if (c < 0x800) {
        sprintf(to, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        sprintf(to, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
    } else {
        sprintf(to, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f), 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
    }
}

static void read_pools(const char * path) {
    char line[CHARS * 8];
    FILE * file = fopen(path, "r");
    for (; fgets(line, sizeof line, file); pool_count++) {
        for (char * word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
            utf8(strtoul(word, NULL, 16), pools[pool_count][lengths[pool_count]++]);
        }
    }
    fclose(file);
}

static uint64_t state;

static int below(int end) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % end;
}

static void make_text(int number, char * text) {
    state = number + 1;
    for (int i = 0; i < 4; i++) below(1);
    text[0] = 0;
    for (int pieces = 1 + below(12); pieces > 0; pieces--) {
        int pool = below(pool_count), is_whole = below(10) < 3, count = 1 + below(8);
        for (int i = 0; i < (is_whole ? lengths[pool] : count); i++) {
            strcat(text, pools[pool][is_whole ? i : below(lengths[pool])]);
        }
    }
}

static void quiet(enum ggml_log_level level, const char * text, void * data) {
    (void) level, (void) text, (void) data;
}

int main(int argc, char ** argv) {
    read_pools(argv[1]);
    llama_log_set(quiet, NULL);
    struct llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    struct llama_model_kv_override overrides[2] = {{.tag = LLAMA_KV_OVERRIDE_TYPE_STR, .key = "tokenizer.ggml.pre"}};
    if (argc > 3 && argv[3][0] == '+') {
        strcpy(overrides[0].val_str, argv[3] + 1);
        params.kv_overrides = overrides;
    }
    const struct llama_vocab * vocab = llama_model_get_vocab(llama_model_load_from_file(argv[2], params));
    int only = argc > 3 && argv[3][0] != '+' ? atoi(argv[3]) : -1;
    uint64_t digest = 0;
    for (int number = 0; number < TEXTS; number++) {
        char text[BYTES];
        llama_token ids[BYTES];
        make_text(number, text);
        int count = llama_tokenize(vocab, text, strlen(text), ids, BYTES, false, false);
        if (number == only) {
            printf("%s\n", text);
            for (int i = 0; i < count; i++) printf("%d ", ids[i]);
            printf("\n");
        }
        if (number % HUNDRED == 0) digest = 0xcbf29ce484222325;
        for (int i = 0; i < count; i++) digest = (digest ^ (uint32_t) ids[i]) * 0x100000001b3;
        digest = (digest ^ 0xffffffff) * 0x100000001b3;
        if (number % HUNDRED == HUNDRED - 1 && only < 0) printf("%016llx\n", (unsigned long long) digest);
    }
}
