/* os.h for Windows 8 and later. */

#ifndef FASTRELU_OS_WINDOWS_H
#define FASTRELU_OS_WINDOWS_H

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#if !defined(_WIN32_WINNT)
#define _WIN32_WINNT 0x0602 /* Windows 8: WaitOnAddress */
#endif
#include <windows.h>

static inline long long monotonic_ns(void)
{
    LARGE_INTEGER ticks, each_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&each_second);
    const long long seconds = ticks.QuadPart / each_second.QuadPart;
    const long long rest = ticks.QuadPart % each_second.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / each_second.QuadPart;
}

static inline double coarse_seconds(void) { return 1e-3 * (double)GetTickCount64(); }

struct thread {
    HANDLE handle;
    void (*run)(int number);
    int number;
};

static inline DWORD WINAPI begin_thread(void *context)
{
    struct thread *thread = context;
    thread->run(thread->number);
    return 0;
}

static inline int start_thread(struct thread *thread)
{
    thread->handle = CreateThread(NULL, 0, begin_thread, thread, 0, NULL);
    return thread->handle != NULL;
}

static inline void join_thread(struct thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
}

static inline int usable_cpus(void)
{
    DWORD_PTR process, system;
    int n = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system))
        for (; process; process &= process - 1)
            n++;
    return n ? n : (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS); /* 0: of several groups */
}

static inline int current_cpu(void) { return -1; } /* nothing here moves threads */
static inline void leave_cpu(int cpu) { (void)cpu; }

typedef SRWLOCK mutex;
#define UNLOCKED SRWLOCK_INIT
static inline void lock_mutex(mutex *mutex) { AcquireSRWLockExclusive(mutex); }
static inline void unlock_mutex(mutex *mutex) { ReleaseSRWLockExclusive(mutex); }

static inline size_t page_size(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

/* Large pages need a privilege here, so none are asked for. */
static inline void *map_memory(size_t size, int huge_pages)
{
    return (void)huge_pages, VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static inline void unmap_memory(void *p, size_t size)
{
    (void)size;
    VirtualFree(p, 0, MEM_RELEASE);
}

static inline int at_fork(void (*before)(void), void (*after)(void), void (*in_child)(void))
{
    return (void)before, (void)after, (void)in_child, 1;
}

/* The threads of a library that is unloaded would go on in memory that is not there. */
static inline int stay_loaded(void)
{
    static const char within;
    HMODULE module;
    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN |
                                  GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                              (LPCWSTR)(const void *)&within, &module) != 0;
}

#endif
