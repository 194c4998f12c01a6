package moving_test

const childTask = "MOVING_TEST_TASK"

func child() int { return 0 }
